package sim

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// dataset is the data of one Redis server with an undo log: the server can lose its last writes, as an append-only file or
// a lagging replica does, at the border of a command or a script.
type dataset struct {
	keys map[string]any // hash, *stream, set or text
	past []undo
}

type (
	hash map[string]string
	set  map[string]struct{}
	text string
)

type undo struct {
	command int64
	at      time.Duration
	back    func(*dataset)
}

type streamID struct{ life, batch uint64 }

type streamEntry struct {
	id     streamID
	fields []string
}

type stream struct {
	entries []streamEntry
	last    streamID
}

func newDataset() *dataset { return &dataset{keys: map[string]any{}} }

// clone copies the data; copies share the undo log, because its steps refer to data by key.
func (d *dataset) clone() *dataset {
	other := &dataset{keys: make(map[string]any, len(d.keys)), past: slices.Clone(d.past)}
	for key, value := range d.keys {
		other.keys[key] = cloneValue(value)
	}
	return other
}

func cloneValue(value any) any {
	switch v := value.(type) {
	case hash:
		return maps.Clone(v)
	case set:
		return maps.Clone(v)
	case *stream:
		return &stream{entries: slices.Clone(v.entries), last: v.last}
	}
	return value
}

// rewind undoes every command after a moment and returns the number of undone steps.
func (d *dataset) rewind(to time.Duration) (steps int) {
	for n := len(d.past); n > 0 && d.past[n-1].at > to; n-- {
		d.past[n-1].back(d)
		d.past = d.past[:n-1]
		steps++
	}
	return steps
}

// forget drops the undo log before a moment.
func (d *dataset) forget(before time.Duration) {
	n := sort.Search(len(d.past), func(i int) bool { return d.past[i].at >= before })
	if n > 1024 {
		d.past = slices.Clone(d.past[n:])
	}
}

// writer applies the writes of one command.
type writer struct {
	*dataset
	command int64
	at      time.Duration
}

func (w writer) note(back func(*dataset)) {
	w.past = append(w.past, undo{w.command, w.at, back})
}

func (w writer) put(key string, value any) {
	old, there := w.keys[key]
	w.keys[key] = value
	w.note(func(d *dataset) {
		if there {
			d.keys[key] = cloneValue(old)
		} else {
			delete(d.keys, key)
		}
	})
}

func (w writer) remove(key string) int64 {
	old, there := w.keys[key]
	if !there {
		return 0
	}
	delete(w.keys, key)
	w.note(func(d *dataset) { d.keys[key] = cloneValue(old) })
	return 1
}

func (w writer) setField(key, field, value string) (added int64) {
	h, ok := w.keys[key].(hash)
	if !ok {
		h = hash{}
		w.put(key, h)
	}
	old, there := h[field]
	h[field] = value
	w.note(func(d *dataset) {
		if h := d.keys[key].(hash); there {
			h[field] = old
		} else {
			delete(h, field)
		}
	})
	if there {
		return 0
	}
	return 1
}

// dropField deletes a field, and the hash when it was its last.
func (w writer) dropField(key, field string) (dropped int64) {
	h, _ := w.keys[key].(hash)
	old, there := h[field]
	if !there {
		return 0
	}
	delete(h, field)
	w.note(func(d *dataset) { d.keys[key].(hash)[field] = old })
	if len(h) == 0 {
		w.remove(key)
	}
	return 1
}

func (w writer) addEntry(key string, id streamID, fields []string) bool {
	s, ok := w.keys[key].(*stream)
	if !ok {
		s = &stream{}
		w.put(key, s)
	}
	if !s.last.less(id) {
		return false
	}
	last := s.last
	s.entries, s.last = append(s.entries, streamEntry{id, fields}), id
	w.note(func(d *dataset) {
		s := d.keys[key].(*stream)
		s.entries, s.last = s.entries[:len(s.entries)-1], last
	})
	return true
}

func (w writer) deleteEntry(key string, id streamID) int64 {
	s, ok := w.keys[key].(*stream)
	if !ok {
		return 0
	}
	at, found := s.search(id)
	if !found {
		return 0
	}
	entry := s.entries[at]
	s.entries = slices.Delete(s.entries, at, at+1)
	w.note(func(d *dataset) {
		s := d.keys[key].(*stream)
		s.entries = slices.Insert(s.entries, at, entry)
	})
	return 1
}

func (s *stream) search(id streamID) (int, bool) {
	return slices.BinarySearchFunc(s.entries, id, func(e streamEntry, id streamID) int {
		switch {
		case e.id.less(id):
			return -1
		case id.less(e.id):
			return 1
		}
		return 0
	})
}

func (a streamID) less(b streamID) bool {
	return a.life < b.life || (a.life == b.life && a.batch < b.batch)
}

func (a streamID) String() string {
	return strconv.FormatUint(a.life, 10) + "-" + strconv.FormatUint(a.batch, 10)
}

// parseStreamID reads an id; one without its second half means the first id of its millisecond or, with last, the last one.
func parseStreamID(text string, last bool) (id streamID, ok bool) {
	switch text {
	case "-":
		return streamID{}, true
	case "+":
		return streamID{^uint64(0), ^uint64(0)}, true
	}
	life, batch, halves := strings.Cut(text, "-")
	var err, err2 error
	id.life, err = strconv.ParseUint(life, 10, 64)
	if halves {
		id.batch, err2 = strconv.ParseUint(batch, 10, 64)
	} else if last {
		id.batch = ^uint64(0)
	}
	return id, err == nil && err2 == nil
}
