package settings

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flashsale/dsn"
)

// rule is the check of a setting's values. Faults and documentation use the same text.
type rule struct {
	text  string // completes "must be …"
	holds func(target any) bool
}

func (r rule) broken(target any) bool { return r.holds != nil && !r.holds(target) }

func between(low, high int) rule {
	return rule{fmt.Sprintf("%d to %d", low, high), func(target any) bool {
		n := *target.(*int)
		return n >= low && n <= high
	}}
}

func durations(low, high string) rule {
	return rule{low + " to " + high, func(target any) bool {
		d := *target.(*time.Duration)
		return d >= mustDuration(low) && d <= mustDuration(high)
	}}
}

// zeroOr allows durations within bounds, and 0s, which means that there is none.
func zeroOr(low, high string) rule {
	within := durations(low, high)
	return rule{"0s, or " + within.text, func(target any) bool {
		return *target.(*time.Duration) == 0 || within.holds(target)
	}}
}

func mustDuration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(fmt.Sprintf("bound of a setting: %v", err))
	}
	return d
}

// oneOf allows the given values; the text does not list an empty one.
func oneOf(values ...string) rule {
	shown := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	last := len(shown) - 1
	return rule{"one of " + strings.Join(shown[:last], ", ") + " and " + shown[last], func(target any) bool {
		return slices.Contains(values, *target.(*string))
	}}
}

// atLeast sets the least length of a secret. A secret that is not set passes: Setting.Needed decides whether it must be.
func atLeast(least int, unit string) rule {
	return rule{fmt.Sprintf("%d %s or more", least, unit), func(target any) bool {
		secret := target.(*Secret).Reveal()
		length := len(secret)
		if unit == "characters" {
			length = utf8.RuneCountInString(secret)
		}
		return length == 0 || length >= least
	}}
}

// A namespace is part of topic names and of Redis keys, before their hash tag. It may contain neither braces nor characters
// that Kafka refuses.
var namespaceRule = rule{"1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit",
	func(target any) bool {
		name := *target.(*string)
		if len(name) == 0 || len(name) > 64 || strings.ContainsRune("._-", rune(name[0])) {
			return false
		}
		return !strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
		})
	}}

// listenRule allows port 0, which lets the system choose one; addressesRule does not.
var listenRule = rule{"host:port, or :port for every address of the machine", func(target any) bool {
	_, port, ok := hostPort(*target.(*string))
	return ok && port <= 65535
}}

var addressesRule = rule{"one or more host:port, separated by commas", func(target any) bool {
	addrs := *target.(*[]string)
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(addr string) bool {
		host, port, ok := hostPort(addr)
		return !ok || host == "" || port < 1 || port > 65535
	})
}}

func hostPort(addr string) (host string, port int, ok bool) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.Atoi(text)
	return host, port, err == nil && port >= 0
}

var urlRule = rule{"an http or https URL without query", func(target any) bool {
	u, err := url.Parse(*target.(*string))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}}

const dsnForm = "in the driver's form user:password@tcp(host:3306)/database, or tcp(host:3306,host:3306)"

// dsnRule lets the driver parse the data source name. It also requires a database: without one the first query would fail.
var dsnRule = rule{dsnForm, func(target any) bool {
	text := target.(*Secret).Reveal()
	if text == "" {
		return true
	}
	name, err := dsn.Parse(text)
	return err == nil && name.Config.DBName != ""
}}
