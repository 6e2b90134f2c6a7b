//go:build !nodev

package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"flashsale/sale"
	"flashsale/settings"
	"flashsale/store"
)

// directory returns the data directory and a function that removes it at the end if it is temporary.
func (c Dev) directory() (dir string, remove func() error, err error) {
	switch {
	case c.DataDir == nil:
	case *c.DataDir == "": // an unset shell variable
		return "", nil, &exitError{ExitUsage,
			errors.New("--data-dir is empty: name a folder, or omit the flag for a temporary one")}
	default:
		return kong.ExpandPath(*c.DataDir), func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "flashsale-dev-")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for the data: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// secretsName is the file in the data directory with the secrets that dev has made. It is a file of settings, so
// --config accepts it.
const secretsName = "secrets.yaml"

const secretsHead = "# The secrets that flashsale dev has made for this data: with --config and this file the commands of " +
	"operators, and\n# flashsale token, work on it. If the file is removed, the next start makes new ones and refuses earlier " +
	"tokens.\n"

// devSecrets is the content of that file.
type devSecrets struct {
	Admin struct {
		Token string `yaml:"token"`
	} `yaml:"admin"`
	Auth struct {
		Secret string `yaml:"hs256_secret"`
	} `yaml:"auth"`
}

// keepSecrets fills in the secrets that the settings lack: with those of an earlier run on the same data, so that its
// tokens stay valid, otherwise with new ones, which it writes to the file. This process must own the directory. kept is
// true when any secret is an earlier one.
func keepSecrets(dir string, s *settings.Settings) (kept bool, err error) {
	name := filepath.Join(dir, secretsName)
	file, err := readDevSecrets(name)
	if err != nil {
		return false, err
	}
	made := false
	for _, secret := range []struct {
		used *settings.Secret
		kept *string
	}{{&s.Admin.Token, &file.Admin.Token}, {&s.Auth.HS256Secret, &file.Auth.Secret}} {
		if *secret.used != "" {
			continue // given by the operator, so not written to the file
		}
		if *secret.kept == "" {
			*secret.kept, made = randomHex(32), true
		} else {
			kept = true
		}
		*secret.used = settings.Secret(*secret.kept)
	}
	if !made {
		return kept, nil
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return false, fmt.Errorf("keep the secrets: %w", err)
	}
	return kept, writePrivate(name, append([]byte(secretsHead), text...))
}

// readDevSecrets reads the file and removes the other users' rights on it; without a file it returns no secrets.
func readDevSecrets(name string) (file devSecrets, err error) {
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		return file, nil
	}
	source, _, err := settings.FromCommandLine([]string{"--config", name}, nil)
	if err != nil {
		return file, err
	}
	loaded, err := source.Load("dev") // applies the checks of settings: too short a secret is refused here
	if err != nil {
		return file, fmt.Errorf("the secrets that dev keeps: %w", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return file, fmt.Errorf("the secrets that dev keeps: %w", err)
	}
	file.Admin.Token, file.Auth.Secret = loaded.Admin.Token.Reveal(), loaded.Auth.HS256Secret.Reveal()
	return file, nil
}

// writePrivate writes a file that only its owner may read, completely or not at all.
func writePrivate(name string, text []byte) error {
	half, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("keep the secrets: %w", err)
	}
	_, err = half.Write(text)
	if err = errors.Join(err, half.Close()); err == nil {
		err = os.Rename(half.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("keep the secrets: %w", errors.Join(err, os.Remove(half.Name())))
	}
	return nil
}

// keptData describes what an earlier run left in the database; it is empty when there was none.
func keptData(ctx context.Context, db *store.Store, secrets bool) (string, error) {
	sales, err := db.Sales(ctx)
	if err != nil || len(sales) == 0 {
		return "", err
	}
	names, orders := make([]string, len(sales)), 0
	for i, one := range sales {
		names[i] = one.ID
		err := db.EachOrder(ctx, one.ID, func(sale.Order) error { orders++; return nil })
		if err != nil {
			return "", err
		}
	}
	kept := fmt.Sprintf("of an earlier run: sales %s with %d orders", strings.Join(names, ", "), orders)
	if secrets {
		kept += "; its secrets, so its tokens stay valid"
	}
	return kept, nil
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // documented never to fail
	return hex.EncodeToString(random)
}
