package cli

import (
	"bytes"
	"fmt"

	"flashsale/adminclient"
)

// operate runs one call of the operators' API and prints its answer.
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
