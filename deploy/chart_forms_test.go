package deploy_test

const octet = `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`

// networkPattern is the form of a network: an address of IPv4 or IPv6, and the length of its prefix unless it is that address
// alone.
const networkPattern = `^(` + octet + `(\.` + octet + `){3}(/(3[0-2]|[12]?[0-9]))?|` +
	`[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$`

// portPattern is the form of a port that somebody listens at.
const portPattern = `(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})`

// elementPatterns are the forms of the elements of a list, by the unit of its setting.
var elementPatterns = map[string]string{
	"host:port, …": `^([0-9A-Za-z_]([-0-9A-Za-z_.]*[0-9A-Za-z_])?\.?|\[[0-9A-Fa-f:.]+\]):` + portPattern + `$`,
	"host names":   `^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$`,
}

// line is the form of a text of one line.
const line = `^[^\x00-\x1f\x7f]*$`

// textPatterns are the forms of a text, by the unit of its setting. An empty one counts as not given. The templates say what is
// wrong with a listener.
var textPatterns = map[string]string{
	"":          line,
	"name":      line,
	"file":      `^(|/[^\x00-\x1f\x7f]*)$`,
	"host:port": `^[0-9A-Za-z.:_\[\]-]*$`,
	"host name": `^[0-9A-Za-z.:_-]*$`,
	"URL":       `^(|https?://[^\x00-\x20\x7f/?#]+(/[^\x00-\x20\x7f?#]*)?)$`,
}

// namespacePattern is the form of a name of topics and keys.
const namespacePattern = `^(|[0-9A-Za-z][0-9A-Za-z._-]{0,63})$`
