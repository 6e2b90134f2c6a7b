// Package openapi checks the two OpenAPI documents against the recommended rules of two common linters, redocly and
// spectral. package-lock.json pins their versions; redocly.yaml and spectral.yaml switch off the rules that do not apply,
// each with its reason.
package openapi
