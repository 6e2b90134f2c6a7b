#!/usr/bin/env bash
# jsonschema 6.0.3 (santhosh-tekuri, which Helm 4.3.1 and kubeconform 0.8.0 use) names another member than the one whose
# propertyNames are broken.
#
# The error of a property name keeps the location of the instance without copying it, and the validator goes on writing into the
# same memory while it visits the other members, in the random order of a Go map. So `helm install` says "at '/secrets': invalid
# propertyName 'PATH'" of a key of /environment, and something else at the next run. Errors of all other keywords have the right
# place. A schema whose messages must name the key takes patternProperties with additionalProperties: false in its place.
source "$(dirname "$0")/lib.sh"
go_program github.com/santhosh-tekuri/jsonschema/v6@v6.0.3 <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func parse(text string) any { return must(jsonschema.UnmarshalJSON(strings.NewReader(text))) }

func main() {
	rule := map[string]string{
		"propertyNames": `{"propertyNames": {"pattern": "^[a-z]+$"}}`,
		"additional":    `{"patternProperties": {"^[a-z]+$": true}, "additionalProperties": false}`,
	}[os.Args[1]]
	compiler := jsonschema.NewCompiler()
	schema := `{"properties": {"first": ` + rule + `, "second": {"additionalProperties": {"type": "string"}}}}`
	if err := compiler.AddResource("schema.json", parse(schema)); err != nil {
		panic(err)
	}
	compiled := must(compiler.Compile("schema.json"))
	wrong := false
	for range 1000 { // the order of the members is another each time
		var fault *jsonschema.ValidationError
		if !errors.As(compiled.Validate(parse(`{"first": {"BAD": "x"}, "second": {"k": "v"}}`)), &fault) {
			panic("no error")
		}
		wrong = wrong || fault.Causes[0].InstanceLocation[0] != "first"
	}
	fmt.Println(map[bool]string{true: "another member", false: "the member"}[wrong])
}
GO
still "what the error of propertyNames names in 1,000 runs" "$("$FOLDER/program" propertyNames)" "another member"
still "what the error of patternProperties with additionalProperties names" "$("$FOLDER/program" additional)" "the member"
