package admin

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// schemas checks JSON values against the document's schemas. It implements the part of JSON Schema that the document
// uses; an unknown keyword is a fault, so that everything in the document is checked.
type schemas struct{ document map[string]any }

var annotations = []string{"description", "default", "format"}

func (s *schemas) resolve(ref string) (map[string]any, bool) {
	var at any = s.document
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		at = object[part]
	}
	found, ok := at.(map[string]any)
	return found, ok
}

// faults returns the faults of the value at a path.
func (s *schemas) faults(schema map[string]any, value any, path string) []string {
	var found []string
	fault := func(format string, args ...any) { found = append(found, path+": "+fmt.Sprintf(format, args...)) }
	for keyword, want := range schema {
		switch keyword {
		case "$ref":
			target, ok := s.resolve(want.(string))
			if !ok {
				fault("dangling %s", want)
				continue
			}
			found = append(found, s.faults(target, value, path)...)
		case "type":
			if !isType(value, want.(string)) {
				fault("%v is not of type %s", value, want)
			}
		case "const":
			if value != want {
				fault("%v is not %v", value, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				fault("%v is none of %v", value, want)
			}
		case "oneOf":
			found = append(found, s.oneOf(want.([]any), value, path)...)
		case "items":
			for i, element := range asArray(value) {
				found = append(found, s.faults(want.(map[string]any), element, fmt.Sprintf("%s[%d]", path, i))...)
			}
		case "properties":
			found = append(found, s.properties(schema, value, path)...)
		case "required", "additionalProperties": // read by properties
			if _, ok := schema["properties"]; !ok && keyword == "required" {
				fault("required without properties")
			}
		default:
			if !slices.Contains(annotations, keyword) && !inRange(keyword, want, value) {
				fault("%v breaks %s %v", value, keyword, want)
			}
		}
	}
	return found
}

func (s *schemas) oneOf(choices []any, value any, path string) []string {
	fits := 0
	for _, choice := range choices {
		if len(s.faults(choice.(map[string]any), value, path)) == 0 {
			fits++
		}
	}
	if fits != 1 {
		return []string{fmt.Sprintf("%s: %v fits %d of the choices", path, value, fits)}
	}
	return nil
}

// properties also reports members that the schema does not name, although JSON Schema would accept them: every answered
// member must be documented.
func (s *schemas) properties(schema map[string]any, value any, path string) []string {
	object, ok := value.(map[string]any)
	if !ok {
		return nil // the keyword type reports it
	}
	var found []string
	known := schema["properties"].(map[string]any)
	for name, member := range object {
		if known[name] == nil {
			found = append(found, path+"."+name+": is not documented")
			continue
		}
		found = append(found, s.faults(known[name].(map[string]any), member, path+"."+name)...)
	}
	for _, name := range asArray(schema["required"]) {
		if _, there := object[name.(string)]; !there {
			found = append(found, fmt.Sprintf("%s.%s: is required", path, name))
		}
	}
	return found
}

func isType(value any, want string) bool {
	switch v := value.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case float64:
		return want == "number" || (want == "integer" && v == math.Trunc(v))
	case []any:
		return want == "array"
	}
	return want == "object"
}

// inRange checks the keywords that bound numbers, strings and arrays.
func inRange(keyword string, want, value any) bool {
	switch keyword {
	case "pattern":
		text, ok := value.(string)
		return !ok || regexp.MustCompile(want.(string)).MatchString(text)
	case "minimum":
		return number(value) >= number(want)
	case "exclusiveMinimum":
		return number(value) > number(want)
	case "maximum":
		return number(value) <= number(want)
	case "minLength":
		return len(value.(string)) >= int(number(want))
	case "maxLength":
		return len(value.(string)) <= int(number(want))
	case "minItems":
		return len(asArray(value)) >= int(number(want))
	case "maxItems":
		return len(asArray(value)) <= int(number(want))
	}
	return false
}

func number(value any) float64 {
	n, ok := value.(float64)
	if !ok {
		return math.NaN()
	}
	return n
}

func asArray(value any) []any {
	array, ok := value.([]any)
	if !ok {
		return nil
	}
	return array
}
