package admin

import (
	"net/http"

	"flashsale/tracing"
)

// statusRecorder passes an answer on and keeps its status for the span of the request.
type statusRecorder struct {
	http.ResponseWriter
	status    int // 0 until the answer begins
	unwritten int // the status of an answer that the handler has not begun: a panic's until the handler returns
}

// WriteHeader keeps the first status, as the server does.
func (s *statusRecorder) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the deadlines and the flush of the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// end ends the span with the status of the answer. Only a fault of the server marks the span as failed: that a request was wrong
// is its sender's.
func (s *statusRecorder) end(span *tracing.Span) {
	status := s.status
	if status == 0 {
		status = s.unwritten
	}
	span.Number("http.response.status_code", int64(status))
	if status >= http.StatusInternalServerError {
		span.Fail(http.StatusText(status))
	}
	span.End()
}
