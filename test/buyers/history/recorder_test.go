package history

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHistoryComesBackFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	r, err := NewRecorder(path)
	require.NoError(t, err)
	first := r.Invoke(Question{Verb: Buy, Sale: "s", SKU: "a", Buyer: "b", Key: "k", Quantity: 2})
	second := r.Invoke(Question{Verb: Pause, Sale: "s"})
	op := r.Return(first, Answer{End: OK, Status: 202, Orders: []Seen{{Order: "7", Status: "queued", SKU: "a", Quantity: 2}}})
	assert.Equal(t, "7", op.Order().Order)
	assert.LessOrEqual(t, op.Invoke, op.Return)
	ops := r.Ops()
	require.NoError(t, r.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	read, err := ReadOps(bytes.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, ops, read)
	assert.Equal(t, Open, read[second].End, "it was asked and never ended")
	assert.Empty(t, read[second].Order())
}

func TestBrokenHistoriesAreRefused(t *testing.T) {
	for _, text := range []string{
		`{"n":1,"verb":"buy","end":"invoke"}`,
		`{"n":0,"verb":"buy","end":"ok"}`,
		`{"n":0,"end":"invoke"}` + "\n" + `{"n":0,"end":"ok"}` + "\n" + `{"n":0,"end":"ok"}`,
		`{"n":0,"end":"invoke"}` + "\n" + `{"n":`,
	} {
		_, err := ReadOps(strings.NewReader(text))
		assert.Error(t, err, text)
	}
}

func TestAFullDiskIsNoticed(t *testing.T) {
	r, err := NewRecorder(filepath.Join(t.TempDir(), "history"))
	require.NoError(t, err)
	require.NoError(t, r.file.Close())
	r.Invoke(Question{Verb: Buy})
	assert.Error(t, r.Close())
	_, err = NewRecorder(filepath.Join(t.TempDir(), "no", "folder"))
	assert.Error(t, err)
}
