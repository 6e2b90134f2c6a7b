// Package openapi holds the two OpenAPI documents against the recommended rules of the linters that people run on them,
// redocly and spectral. The linters are pinned by package-lock.json; what of their rules does not apply is switched off,
// with a reason, in redocly.yaml and spectral.yaml.
package openapi
