package cli

import (
	"bytes"
	"fmt"

	"flashsale/adminclient"
)

// operate runs one call of the operators' API and prints its answer as it is.
func (inv *invocation) operate(command string, call func(*adminclient.Client) ([]byte, error)) error {
	client, err := inv.client(command)
	if err != nil {
		return err
	}
	answer, err := call(client)
	if err != nil {
		return exitOf(err)
	}
	_, err = fmt.Fprintf(inv.stdout, "%s\n", bytes.TrimRight(answer, "\n"))
	return err
}

// answerAs is the output of a command that changes something: a line to read, or the JSON of the operators' API.
type answerAs struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Output format: text, a line, or json, the API's answer."`
}

// change runs one call of the operators' API that changes something, and prints its answer.
func (inv *invocation) change(
	as answerAs, call func(*adminclient.Client) ([]byte, error), line func(answer []byte) (string, error),
) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := call(client)
		if err != nil || as.Output == "json" {
			return answer, err
		}
		text, err := line(answer)
		if err != nil {
			return nil, fmt.Errorf("the change is made, but its answer cannot be shown; -o json prints it: %w", err)
		}
		return []byte(text), nil
	})
}

func (inv *invocation) client(command string) (*adminclient.Client, error) {
	s, err := inv.settings(command)
	if err != nil {
		return nil, err
	}
	return adminclient.NewClient(s.Admin.URL, s.Admin.Token.Reveal())
}

// document reads a YAML or JSON file as JSON.
func (inv *invocation) document(name string) ([]byte, error) {
	in, err := adminclient.OpenInput(name, inv.stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return adminclient.ReadDocument(in)
}
