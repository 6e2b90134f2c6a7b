package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Recorder keeps a history in memory, and in a file when it was made with one. It is safe for use by many goroutines; its
// zero value is ready and has no file.
type Recorder struct {
	mu   sync.Mutex
	ops  []Op
	over int // operations that have ended
	file *os.File
	out  *bufio.Writer
	err  error // the first failure to write
}

// NewRecorder writes to a new file at path.
func NewRecorder(path string) (*Recorder, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	return &Recorder{file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
}

// Invoke notes a question that is about to be sent and returns the number of its operation.
func (r *Recorder) Invoke(q Question) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	op := Op{N: len(r.ops), Invoke: time.Now().UnixMicro(), Question: q, Answer: Answer{End: Open}}
	r.ops = append(r.ops, op)
	r.write(op)
	return op.N
}

// Return notes the answer to an operation.
func (r *Recorder) Return(n int, a Answer) Op {
	now := time.Now().UnixMicro()
	r.mu.Lock()
	defer r.mu.Unlock()
	op := &r.ops[n]
	op.Return, op.Answer = now, a
	r.over++
	r.write(*op)
	return *op
}

func (r *Recorder) write(op Op) {
	if r.file == nil {
		return
	}
	line, err := json.Marshal(op)
	if err == nil {
		_, err = r.out.Write(append(line, '\n'))
	}
	if err != nil && r.err == nil {
		r.err = err
	}
}

// Ops returns a copy of the operations so far.
func (r *Recorder) Ops() []Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Op(nil), r.ops...)
}

// Ended returns how many operations have ended.
func (r *Recorder) Ended() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// Any reports whether some operation that has ended meets a condition.
func (r *Recorder) Any(is func(*Op) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.ops {
		if op := &r.ops[i]; op.End != Open && is(op) {
			return true
		}
	}
	return false
}

// Close closes the file. After an error the file may be incomplete.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return errors.Join(r.err, r.out.Flush(), r.file.Close())
}

// ReadOps reads a history back from its lines. An operation without a second line is Open.
func ReadOps(in io.Reader) ([]Op, error) {
	var ops []Op
	decoder := json.NewDecoder(in)
	for {
		var op Op
		err := decoder.Decode(&op)
		switch {
		case errors.Is(err, io.EOF):
			return ops, nil
		case err != nil:
			return nil, fmt.Errorf("history after %d operations: %w", len(ops), err)
		case op.N == len(ops) && op.End == Open:
			ops = append(ops, op)
		case op.N < len(ops) && ops[op.N].End == Open && op.End != Open:
			ops[op.N] = op
		default:
			return nil, fmt.Errorf("history: operation %d (%s) is out of place", op.N, op.End)
		}
	}
}
