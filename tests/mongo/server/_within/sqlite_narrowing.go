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
	conditions, args := necessary(params.Filter)

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

	if strings.Contains(clause, number) {
		q := fmt.Sprintf("CREATE INDEX IF NOT EXISTS %q ON %q (%s)", table+"_number", table, number)
		if _, err := db.ExecContext(ctx, q); err != nil {
			return "", nil, err
		}
	}

	return clause, args, nil
}

// necessary returns conditions that whatever matches the filter satisfies, and their values.
func necessary(filter *types.Document) ([]string, []any) {
	var conditions []string
	var args []any

	add := func(more []string, values ...any) {
		conditions, args = append(conditions, more...), append(args, values...)
	}

	for _, key := range filter.Keys() {
		switch v := must.NotFail(filter.Get(key)).(type) {
		case string, types.ObjectID:
			if key == "_id" {
				add([]string{metadata.IDColumn + " = ?"}, string(must.NotFail(sjson.MarshalSingleValue(v))))
			}
		case bool:
			if !strings.ContainsAny(key, `.$'"`) { // arrays match by an element
				field := fmt.Sprintf(`%s->'%s'`, metadata.DefaultColumn, key)
				add([]string{fmt.Sprintf(`(%[1]s = ? OR %[1]s >= '[' AND %[1]s < '\')`, field)}, fmt.Sprint(v))
			}
		case *types.Document:
			if key == "_id" {
				more, values := bounds(v)
				add(more, values...)
			}
		case *types.Array:
			for i := 0; key == "$and" && i < v.Len(); i++ {
				if part, ok := must.NotFail(v.Get(i)).(*types.Document); ok {
					more, values := necessary(part)
					add(more, values...)
				}
			}
		}
	}

	return conditions, args
}

// bounds returns the conditions of `{_id: {$gt: 5}}`, which numbers alone satisfy.
func bounds(condition *types.Document) ([]string, []any) {
	if condition.Len() != 1 {
		return nil, nil
	}

	operator := condition.Keys()[0]
	sign, ok := map[string]string{"$gt": ">", "$gte": ">="}[operator]

	switch value := must.NotFail(condition.Get(operator)).(type) {
	case int32, int64:
		if ok {
			return []string{number + " " + sign + " ?", number + " < ''"}, []any{value}
		}
	}

	return nil, nil
}
