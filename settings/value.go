package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxListItems bounds a comma-separated list.
const maxListItems = 256

// typeOf names the type of the value that a setting is bound to.
func typeOf(target any) string {
	switch target.(type) {
	case *string:
		return "text"
	case *Secret:
		return "secret"
	case *[]string:
		return "list"
	case *[]netip.Prefix:
		return "networks"
	case *bool:
		return "true or false"
	case *int:
		return "number"
	case *time.Duration:
		return "duration"
	}
	panic(fmt.Sprintf("a setting cannot be a %T", target))
}

// parse reads text into the value that target points to. The error does not contain the text, because it may be a secret.
func parse(text string, target any) (err error) {
	switch v := target.(type) {
	case *string:
		*v = text
	case *Secret:
		*v = Secret(text)
	case *[]string:
		*v, err = splitList(text)
	case *[]netip.Prefix:
		*v, err = parseNetworks(text)
	case *bool:
		if *v, err = strconv.ParseBool(text); err != nil {
			err = errors.New("must be true or false")
		}
	case *int:
		if *v, err = strconv.Atoi(text); err != nil {
			err = errors.New("must be a whole number")
		}
	case *time.Duration:
		if *v, err = time.ParseDuration(text); err != nil {
			err = errors.New("must be a duration such as 500ms, 1s or 2m")
		}
	default:
		panic(fmt.Sprintf("a setting cannot be a %T", target))
	}
	return err
}

// format writes the value that target points to in the spelling of the environment, a secret as a placeholder.
func format(target any) string {
	switch v := target.(type) {
	case *[]string:
		return strings.Join(*v, ",")
	case *[]netip.Prefix:
		texts := make([]string, len(*v))
		for i, network := range *v {
			texts[i] = network.String()
		}
		return strings.Join(texts, ",")
	case *string:
		return *v
	case *Secret:
		return v.String()
	case *bool:
		return strconv.FormatBool(*v)
	case *int:
		return strconv.Itoa(*v)
	case *time.Duration:
		return formatDuration(*v)
	}
	panic(fmt.Sprintf("a setting cannot be a %T", target))
}

// formatDuration writes a duration without the zero units that Duration.String appends: 2m, not 2m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// splitList reads a comma-separated list and trims spaces around each item. Empty text is the empty list.
func splitList(text string) ([]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	items := strings.Split(text, ",")
	if len(items) > maxListItems {
		return nil, fmt.Errorf("must hold at most %d items", maxListItems)
	}
	for i := range items {
		if items[i] = strings.TrimSpace(items[i]); items[i] == "" {
			return nil, fmt.Errorf("item %d is empty", i+1)
		}
	}
	return items, nil
}

// parseNetworks reads networks; a bare address is the network of that one address.
func parseNetworks(text string) ([]netip.Prefix, error) {
	items, err := splitList(text)
	if err != nil {
		return nil, err
	}
	var networks []netip.Prefix
	for _, item := range items {
		network, err := netip.ParsePrefix(item)
		if err != nil {
			addr, addrErr := netip.ParseAddr(item)
			if addrErr != nil {
				return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8", item)
			}
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
