package handler

import (
	"github.com/FerretDB/FerretDB/internal/backends"
	"github.com/FerretDB/FerretDB/internal/handler/common"
	"github.com/FerretDB/FerretDB/internal/types"
	"github.com/FerretDB/FerretDB/internal/util/must"
)

// orderByID lets the backend sort by `_id` and stop at the limit, where the filter is one that it
// applies entirely: none, or `{_id: {$gt: 5}}`. The `_id`s of a collection are all numbers or all text.
func orderByID(params *common.FindParams, qp *backends.QueryParams) {
	if params.Sort.Len() != 1 || !params.Sort.Has("_id") || params.Limit <= 0 || params.Skip != 0 {
		return
	}

	if params.Filter.Len() > 0 && !isAfterNumber(params.Filter) {
		return
	}

	qp.ByID, qp.Limit = 1, params.Limit
	if must.NotFail(params.Sort.Get("_id")) == int64(-1) {
		qp.ByID = -1
	}
}

func isAfterNumber(filter *types.Document) bool {
	id, _ := filter.Get("_id")
	condition, ok := id.(*types.Document)

	if filter.Len() != 1 || !ok || condition.Len() != 1 {
		return false
	}

	after, _ := condition.Get("$gt")
	switch after.(type) {
	case int32, int64:
		return true
	}

	return false
}
