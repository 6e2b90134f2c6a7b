package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Requests are complete HTTP requests in one block of memory without pointers, so that a million of them cost the
// client's garbage collector nothing.
type Requests struct {
	bytes []byte
	ends  []int
}

// Add appends one request.
func (r *Requests) Add(request []byte) {
	r.bytes = append(r.bytes, request...)
	r.ends = append(r.ends, len(r.bytes))
}

// Len returns the number of requests.
func (r *Requests) Len() int { return len(r.ends) }

// At returns request i; it must not be changed.
func (r *Requests) At(i int) []byte {
	begin := 0
	if i > 0 {
		begin = r.ends[i-1]
	}
	return r.bytes[begin:r.ends[i]]
}

// Slice returns the requests from (included) to to (excluded); it shares the memory.
func (r *Requests) Slice(from, to int) *Requests {
	part := &Requests{ends: make([]int, 0, to-from)}
	begin := 0
	if from > 0 {
		begin = r.ends[from-1]
	}
	part.bytes = r.bytes[begin:r.ends[to-1]:r.ends[to-1]]
	for _, end := range r.ends[from:to] {
		part.ends = append(part.ends, end-begin)
	}
	return part
}

// Purchase returns a press of Buy; token and key may be empty.
func Purchase(host, saleID, sku, token, key string) []byte {
	return post(host, saleID+"/items/"+sku, token, key, "")
}

// Basket returns a press that orders one unit of each SKU, all or nothing.
func Basket(host, saleID string, skus []string, token, key string) []byte {
	return post(host, saleID, token, key, `{"lines":[{"sku":"`+strings.Join(skus, `"},{"sku":"`)+`"}]}`)
}

func post(host, of, token, key, body string) []byte {
	request := "POST /v1/sales/" + of + "/orders HTTP/1.1\r\nHost: " + host + "\r\n"
	if token != "" {
		request += "Authorization: Bearer " + token + "\r\n"
	}
	if key != "" {
		request += "Idempotency-Key: \"" + key + "\"\r\n"
	}
	return []byte(request + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// answerTimeout bounds one answer: more than the contract's 5 s.
const answerTimeout = 10 * time.Second

// Answer is one answer with its bytes on the wire, status line and headers included.
type Answer struct {
	Status int
	Body   string
	Bytes  int
}

// Ask sends one request on a separate connection.
func Ask(address string, request []byte) (Answer, error) {
	conn, err := net.DialTimeout("tcp", address, answerTimeout)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", address, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", address, err)
	}
	if _, err := conn.Write(request); err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", address, err)
	}
	counted := &countingReader{in: conn}
	in := bufio.NewReader(counted)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", address, err)
	}
	return Answer{Status: response.StatusCode, Body: string(body), Bytes: counted.n - in.Buffered()}, nil
}

type countingReader struct {
	in io.Reader
	n  int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += n
	return n, err
}

// SetBareAnswer makes the bare handler at address answer with the wanted number of bytes on the wire. One length in ten
// thousand is impossible, because the digits of the length are part of the answer; SetBareAnswer then accepts one byte
// less.
func SetBareAnswer(address string, wanted int) error {
	last := 0
	for body, tries := wanted, 0; tries < 5; tries++ { // headers and digits settle after three
		answer, err := Ask(address, []byte("GET "+barePrefix+strconv.Itoa(body)+" HTTP/1.1\r\nHost: bare\r\n\r\n"))
		if err != nil {
			return err
		}
		if answer.Status != http.StatusOK {
			return fmt.Errorf("set the bare answer to %d bytes: status %d", body, answer.Status)
		}
		if answer, err = Ask(address, []byte("GET / HTTP/1.1\r\nHost: bare\r\n\r\n")); err != nil {
			return err
		}
		last = answer.Bytes
		if answer.Bytes == wanted || (answer.Bytes == wanted-1 && tries > 2) {
			return nil
		}
		body = max(0, body+wanted-answer.Bytes)
	}
	return fmt.Errorf("the bare handler cannot answer with %d bytes, only with %d", wanted, last)
}
