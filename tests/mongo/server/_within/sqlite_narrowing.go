package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/FerretDB/FerretDB/internal/backends"
	"github.com/FerretDB/FerretDB/internal/backends/sqlite/metadata"
	"github.com/FerretDB/FerretDB/internal/handler/sjson"
	"github.com/FerretDB/FerretDB/internal/types"
	"github.com/FerretDB/FerretDB/internal/util/fsql"
	"github.com/FerretDB/FerretDB/internal/util/must"
)

// number is an `_id` as SQL compares it: numbers by value, and before every text.
const number = metadata.DefaultColumn + "->>'_id'"

// narrowed returns the part of a SELECT that lets SQLite's indexes pass over documents which the
// filter will not match. FerretDB itself reads every document, and parses it, unless `_id` is the
// filter's only condition. What it returns is held against the whole filter afterwards.
func narrowed(
	ctx context.Context, db *fsql.DB, table string, params *backends.QueryParams,
) (string, []any, error) {
	var conditions []string
	var args []any
	numbered := params.ByID != 0

	for _, key := range params.Filter.Keys() {
		value := must.NotFail(params.Filter.Get(key))

		switch v := value.(type) {
		case string, types.ObjectID:
			if key == "_id" {
				conditions = append(conditions, metadata.IDColumn+" = ?")
				args = append(args, string(must.NotFail(sjson.MarshalSingleValue(v))))
			}
		case bool:
			if !strings.ContainsAny(key, `.$'"`) { // arrays match by an element
				field := fmt.Sprintf(`%s->'%s'`, metadata.DefaultColumn, key)
				conditions = append(conditions, fmt.Sprintf(`(%[1]s = ? OR %[1]s >= '[' AND %[1]s < '\')`, field))
				args = append(args, fmt.Sprint(v))
			}
		case *types.Document:
			if bounds, values := bounds(key, v); bounds != nil {
				numbered = true
				conditions = append(conditions, bounds...)
				args = append(args, values...)
			}
		}
	}

	var clause string
	if len(conditions) > 0 {
		clause = " WHERE " + strings.Join(conditions, " AND ")
	}

	if params.ByID != 0 {
		clause += " ORDER BY " + number
		if params.ByID < 0 {
			clause += " DESC"
		}
	}

	if numbered {
		q := fmt.Sprintf("CREATE INDEX IF NOT EXISTS %q ON %q (%s)", table+"_number", table, number)
		if _, err := db.ExecContext(ctx, q); err != nil {
			return "", nil, err
		}
	}

	return clause, args, nil
}

// bounds returns the conditions of `{_id: {$gt: 5}}`, which numbers alone satisfy.
func bounds(key string, condition *types.Document) ([]string, []any) {
	if key != "_id" || condition.Len() != 1 {
		return nil, nil
	}

	sign, ok := map[string]string{"$gt": ">", "$gte": ">="}[condition.Keys()[0]]
	value := must.NotFail(condition.Get(condition.Keys()[0]))

	switch value.(type) {
	case int32, int64:
		if ok {
			return []string{number + " " + sign + " ?", number + " < ''"}, []any{value}
		}
	}

	return nil, nil
}
