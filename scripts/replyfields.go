package scripts

import (
	"fmt"

	"github.com/redis/rueidis"
)

// lacksIt reports whether the server lacks the script that it was asked to run.
func lacksIt(result rueidis.RedisResult) bool {
	redisErr, ok := rueidis.IsRedisErr(result.Error())
	return ok && redisErr.IsNoScript()
}

// fieldReader reads the values of a reply by their index and keeps the first error.
type fieldReader struct {
	values []rueidis.RedisMessage
	err    error
}

func (f *fieldReader) text(i int) string {
	text, err := f.values[i].ToString()
	f.keep(i, err)
	return text
}

// number reads an integer, also one in a text; nil is 0.
func (f *fieldReader) number(i int) int64 {
	if f.values[i].IsNil() {
		return 0
	}
	n, err := f.values[i].AsInt64()
	f.keep(i, err)
	return n
}

func (f *fieldReader) keep(i int, err error) {
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("reply value %d: %w", i, err)
	}
}
