package scripts

import "strconv"

func base36[N ~int64](n N) string { return strconv.FormatInt(int64(n), 36) }
