// Package console is what people see in a browser: the operators' console, and the shop page of the dev command. Both are plain
// files that are embedded as they are, without a build step: HTML, CSS and ES modules of our own, and one file of words for each
// language. The pages read and change everything through the APIs that commands and apps use too.
package console
