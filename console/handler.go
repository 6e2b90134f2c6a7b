package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed site
var embedded embed.FS

// Prefix is the path below which both pages find their files.
const Prefix = "/console/"

// SessionCookie is the cookie of an operator who has signed in. The console only looks whether a request has one.
const SessionCookie = "flashsale_session"

// policy allows what comes from the page's own origin, and no inline script or style.
const policy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// mediaTypes are the types of the embedded files. The system's table of types differs from machine to machine.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

// file is one embedded file as it is answered.
type file struct {
	body      []byte
	mediaType string
	tag       string // ETag: a hash of the body
}

// site serves the embedded files, and one of them as the page at "/".
type site struct {
	files map[string]file // by path below Prefix
	index string
}

// Handler returns the operators' console: the page at "/" and its files below Prefix. Everything else is 404. It needs no
// token, because the files are the same for everybody; what the page shows it reads from the operators' API.
func Handler() http.Handler { return newSite("index.html") }

// newSite reads the embedded files. It panics when the program was built without one of them.
func newSite(index string) *site {
	s := &site{files: map[string]file{}, index: index}
	err := fs.WalkDir(embedded, "site", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		mediaType, known := mediaTypes[path.Ext(name)]
		if !known {
			return fmt.Errorf("%s: no media type is known for this kind of file", name)
		}
		sum := sha256.Sum256(body)
		s.files[strings.TrimPrefix(name, "site/")] = file{body, mediaType, `"` + hex.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	if _, has := s.files[index]; err == nil && !has {
		err = fmt.Errorf("%s is missing", index)
	}
	if err != nil {
		panic(fmt.Sprintf("read the embedded pages: %v", err))
	}
	return s
}

// ServeHTTP answers GET and HEAD.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	name, below := strings.CutPrefix(r.URL.Path, Prefix)
	one, known := s.files[name]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the page is read by GET", http.StatusMethodNotAllowed)
	case r.URL.Path == "/":
		s.serveIndex(w, r)
	case below && known && path.Ext(name) != ".html":
		serveFile(w, r, &one)
	default:
		http.Error(w, "there is nothing at this path", http.StatusNotFound)
	}
}

// secure sets the headers that every answer has.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// signedOut is the mark in the page that serveIndex replaces.
const signedOut = `<meta name="session" content="none">`

// serveIndex writes the page. It tells the page whether the request has a session cookie, which scripts cannot see: a page
// without one asks for a token at once, and reads no session only to be refused.
func (s *site) serveIndex(w http.ResponseWriter, r *http.Request) {
	page := s.files[s.index]
	if _, err := r.Cookie(SessionCookie); err == nil {
		page.body = bytes.Replace(page.body, []byte(signedOut), []byte(`<meta name="session" content="cookie">`), 1)
	}
	w.Header().Set("Content-Type", page.mediaType)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(page.body) // the browser may be gone
}

// serveFile writes a file, or 304 where the browser has it already.
func serveFile(w http.ResponseWriter, r *http.Request, one *file) {
	h := w.Header()
	h.Set("ETag", one.tag)
	h.Set("Cache-Control", "no-cache") // asked again at each load, so that a page never mixes two versions
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == one.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", one.mediaType)
	_, _ = w.Write(one.body) // the browser may be gone
}
