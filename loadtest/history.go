package loadtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxHistoryLine bounds one line of a history: vegeta's lines contain whole answers.
const maxHistoryLine = 4 << 20

// ReadHistory reads the answers to buyers and passes them to each, in the order of the file. It recognises the format
// by its first bytes: the history of Rush, k6's JSON output (k6 run --out json=FILE, of rush.js and retry.js), vegeta's
// results as JSON, CSV or as vegeta attack writes them (gob), each also compressed by gzip. It skips answers to other
// requests than purchases.
func ReadHistory(r io.Reader, each func(Told) error) error {
	in := bufio.NewReaderSize(r, historyBuffer)
	head, err := peek(in, 2)
	if err != nil {
		return err
	}
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		in = bufio.NewReaderSize(unzipped, historyBuffer)
	}
	return readFormat(in, each)
}

func readFormat(in *bufio.Reader, each func(Told) error) error {
	head, err := peek(in, 1)
	if err != nil {
		return err
	}
	switch {
	case len(head) == 0:
		return errors.New("history: the file is empty")
	case head[0] == '{':
		return readLines(in, each)
	case head[0] >= '0' && head[0] <= '9':
		return readVegetaCSV(in, each)
	}
	return readVegetaGob(in, each)
}

// peek returns the next n bytes, fewer at the end of the file.
func peek(in *bufio.Reader, n int) ([]byte, error) {
	head, err := in.Peek(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("history: %w", err)
	}
	return head, nil
}

// lineReader turns one JSON line into an answer; nil when the line contains none.
type lineReader func(line []byte) (*Told, error)

// readLines reads JSON lines; the members of the first line identify their format.
func readLines(in io.Reader, each func(Told) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxHistoryLine)
	var read lineReader
	for n := 1; lines.Scan(); n++ {
		line := lines.Bytes()
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if read == nil {
			var err error
			if read, err = readerOf(line); err != nil {
				return fmt.Errorf("history line %d: %w", n, err)
			}
		}
		told, err := read(line)
		if err == nil && told != nil {
			err = emit(told, each)
		}
		if err != nil {
			return fmt.Errorf("history line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

func readerOf(line []byte) (lineReader, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := members[name]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("buyer", "lines", "code"):
		return readOwnLine, nil
	case has("type", "metric", "data"):
		return readK6Line, nil
	case has("seq", "code", "url"):
		return readVegetaLine, nil
	}
	return nil, errors.New("neither an answer of load rush, nor a line of k6's JSON output, nor a result of vegeta")
}

func readOwnLine(line []byte) (*Told, error) {
	var told Told
	if err := json.Unmarshal(line, &told); err != nil {
		return nil, err
	}
	return &told, nil
}

func emit(told *Told, each func(Told) error) error {
	if err := told.validate(); err != nil {
		return err
	}
	return each(*told)
}
