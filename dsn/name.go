package dsn

import (
	"crypto/tls"
	"database/sql/driver"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Name is a data source name. The caller may change the members of Config except its address before it calls Connector.
type Name struct {
	Config *mysql.Config // its address is the first of addrs
	addrs  []string
}

// listTimeout bounds the attempt to reach one server of several, where the name sets no timeout, so that servers that do not
// answer leave time for the next ones.
const listTimeout = time.Second

// Parse reads a name. Its errors do not repeat the name, which contains a password.
func Parse(text string) (*Name, error) {
	from, to, found := addressOf(text)
	if !found || !strings.Contains(text[from:to], ",") {
		config, err := mysql.ParseDSN(text)
		if err != nil {
			return nil, err
		}
		return &Name{Config: config, addrs: []string{config.Addr}}, nil
	}
	n := &Name{}
	for i, addr := range strings.Split(text[from:to], ",") {
		addr = strings.TrimSpace(addr)
		if addr == "" {
			return nil, fmt.Errorf("server %d of the list has no name", i+1)
		}
		config, err := mysql.ParseDSN(text[:from] + addr + text[to:])
		if err != nil {
			return nil, err
		}
		if config.Net != "tcp" {
			return nil, fmt.Errorf("a list of servers needs tcp(...) and has %s(...)", config.Net)
		}
		if n.Config == nil {
			n.Config = config
		}
		n.addrs = append(n.addrs, config.Addr)
	}
	if n.Config.Timeout <= 0 {
		n.Config.Timeout = listTimeout
	}
	return n, nil
}

// addressOf finds the text between the parentheses, by the driver's rules: they follow the last @ before the last slash.
func addressOf(text string) (from, to int, found bool) {
	slash := strings.LastIndexByte(text, '/')
	if slash < 1 || text[slash-1] != ')' {
		return 0, 0, false
	}
	account := strings.LastIndexByte(text[:slash], '@') + 1
	open := strings.IndexByte(text[account:slash], '(')
	if open < 0 {
		return 0, 0, false
	}
	return account + open + 1, slash - 1, true
}

// Addrs names the servers, host:port with commas between.
func (n *Name) Addrs() string { return strings.Join(n.addrs, ",") }

// Servers returns a name for each server, with the settings of this one.
func (n *Name) Servers() []*Name {
	all := make([]*Name, len(n.addrs))
	for i, addr := range n.addrs {
		config := n.Config.Clone()
		config.Addr = addr
		all[i] = &Name{Config: config, addrs: []string{addr}}
	}
	return all
}

// Text returns the name in the form that Parse reads.
func (n *Name) Text() string {
	text := n.Config.FormatDSN()
	if from, to, found := addressOf(text); found && len(n.addrs) > 1 {
		return text[:from] + n.Addrs() + text[to:]
	}
	return text
}

// Secure makes every connection use TLS as config says. nil leaves it to the name's own parameter tls.
func (n *Name) Secure(config *tls.Config) {
	if config != nil {
		n.Config.TLS = config.Clone()
	}
}

// Connector returns what opens connections. Each server of the name has to prove the host by which the name calls it.
func (n *Name) Connector() (driver.Connector, error) {
	configs, err := n.configs()
	if err != nil {
		return nil, err
	}
	servers := make([]server, len(configs))
	for i, config := range configs {
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, err
		}
		servers[i] = server{config.Addr, connector, config.Timeout}
	}
	if len(servers) == 1 {
		return servers[0].connector, nil
	}
	return firstWritable(servers), nil
}

// configs returns the settings of each server.
func (n *Name) configs() ([]*mysql.Config, error) {
	configs := make([]*mysql.Config, len(n.addrs))
	for i, addr := range n.addrs {
		config := n.Config.Clone()
		config.Addr = addr
		if config.TLS != nil && config.Net == "tcp" {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			config.TLS.ServerName = host // Parse has set that of the first server
		}
		configs[i] = config
	}
	return configs, nil
}
