package sale

import (
	"encoding/json"
	"fmt"
)

// ProblemType is the media type of every error of every listener (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is one error answer.
type Problem struct {
	Status  int
	Code    string
	Title   string
	Detail  string
	Members []Member // extension members, in the order of the answer
}

// Member is one extension member of a problem. Append panics if JSON cannot encode Value.
type Member struct {
	Name  string
	Value any
}

// ProblemOf builds the problem of an outcome; detail defaults to the title.
func ProblemOf(o Outcome, detail string, members ...Member) Problem {
	row := o.Row()
	return Problem{Status: row.Status, Code: row.Code, Title: row.Title, Detail: detail, Members: members}
}

// Error makes a Problem usable as an error inside the operators' API.
func (p Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail) }

// Append writes the problem as JSON: type, title, status, code, detail, then the members.
func (p Problem) Append(dst []byte) []byte {
	if p.Detail == "" {
		p.Detail = p.Title
	}
	dst = append(dst, '{')
	dst = appendMember(dst, "type", "/problems/"+p.Code)
	dst = appendMember(append(dst, ','), "title", p.Title)
	dst = appendMember(append(dst, ','), "status", p.Status)
	dst = appendMember(append(dst, ','), "code", p.Code)
	dst = appendMember(append(dst, ','), "detail", p.Detail)
	for _, m := range p.Members {
		dst = appendMember(append(dst, ','), m.Name, m.Value)
	}
	return append(dst, '}')
}

func appendMember(dst []byte, name string, value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("problem member %s: %v", name, err)) // the engine passes only strings, numbers and times
	}
	dst = append(append(append(dst, '"'), name...), '"', ':')
	return append(dst, encoded...)
}
