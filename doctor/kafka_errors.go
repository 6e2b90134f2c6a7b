package doctor

import "github.com/twmb/franz-go/pkg/kerr"

// errMissing is the answer about a topic that does not exist.
var errMissing error = kerr.UnknownTopicOrPartition

// codeError is the error of a code, nil for 0.
func codeError(code int16) error { return kerr.ErrorForCode(code) }
