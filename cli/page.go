package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"flashsale/app"
)

// pageFile is the file of a report. It is opened before the work that the report is about, so that a file that cannot be
// written costs no work.
type pageFile struct {
	file    *os.File
	created bool // by this command: removed when there is no report
	written bool
}

// openPage opens the file and keeps what it contains. It returns nil for an empty name.
func openPage(name string) (*pageFile, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	created := err == nil
	if errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(name, os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, &exitError{ExitUsage, fmt.Errorf("--report: %w", err)}
	}
	return &pageFile{file: file, created: created}, nil
}

// write replaces the content of the file by a page.
func (p *pageFile) write(page io.WriterTo) error {
	info, err := p.file.Stat()
	if err == nil && info.Mode().IsRegular() { // a device cannot be cut off, and needs not
		err = p.file.Truncate(0)
	}
	if err == nil {
		_, err = page.WriteTo(p.file)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	p.written = true
	return nil
}

// close closes the file and removes one that has no report. p may be nil.
func (p *pageFile) close() error {
	if p == nil {
		return nil
	}
	err := p.file.Close()
	if p.created && !p.written {
		err = errors.Join(err, os.Remove(p.file.Name()))
	}
	return err
}

// madeBy is the last line of a report.
func madeBy(now time.Time) string {
	return fmt.Sprintf("Made by %s at %s.", app.ThisBuild(), now.Format(time.RFC3339))
}
