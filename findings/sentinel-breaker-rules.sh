#!/usr/bin/env bash
# sentinel-golang 1.0.4: an error ratio of 0 opens a circuit breaker while every call succeeds; a rule that is loaded again
# with any other field closes an open breaker.
#
# A breaker opens when the ratio is at least the threshold, so a threshold of 0 is reached without any error, as soon as
# there are MinRequestAmount calls. The library accepts the rule. ErrorCount with 1 opens at the first error.
#
# LoadRules keeps the breaker of a rule only when the rule is equal in every field that is compared. With another retry time
# the breaker is a new one, closed, on the old counts: every call passes until the first of them ends and opens it again. With
# another window or least number of calls the counts are gone too. So an operator who edits a rule while a store is down sends
# the full load to the store. Loading equal rules again changes nothing.
source "$(dirname "$0")/lib.sh"
go_program github.com/alibaba/sentinel-golang@v1.0.4 <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"

	sentinel "github.com/alibaba/sentinel-golang/api"
	"github.com/alibaba/sentinel-golang/core/circuitbreaker"
	"github.com/alibaba/sentinel-golang/core/config"
	"github.com/alibaba/sentinel-golang/logging"
)

func rule(resource string, threshold float64, retry, window uint32) []*circuitbreaker.Rule {
	return []*circuitbreaker.Rule{{
		Resource: resource, Strategy: circuitbreaker.ErrorRatio, Threshold: threshold, RetryTimeoutMs: retry,
		MinRequestAmount: 5, StatIntervalMs: window,
	}}
}

func load(rules []*circuitbreaker.Rule) {
	if _, err := circuitbreaker.LoadRules(rules); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

// calls makes n calls of a resource and returns how many of them were let through.
func calls(resource string, n int, fails bool) (passed int) {
	for range n {
		entry, blocked := sentinel.Entry(resource)
		if blocked != nil {
			continue
		}
		passed++
		if fails {
			sentinel.TraceError(entry, errors.New("away"))
		}
		entry.Exit()
	}
	return passed
}

func main() {
	logging.ResetGlobalLogger(quiet{})
	c := config.NewDefaultConfig()
	c.Sentinel.Log.Metric.FlushIntervalSec = 0
	if err := sentinel.InitWithConfig(c); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	load(rule("healthy", 0, 600_000, 60_000))
	fmt.Println("zero", calls("healthy", 100, false))
	load(rule("down", 0.5, 600_000, 60_000))
	fmt.Println("opened", calls("down", 100, true))
	load(rule("down", 0.5, 600_000, 60_000))
	fmt.Println("same", calls("down", 4, true))
	load(rule("down", 0.5, 600_001, 60_000))
	fmt.Println("retry", calls("down", 4, true))
	load(rule("down", 0.5, 600_001, 50_000))
	fmt.Println("window", calls("down", 4, true))
}

type quiet struct{}

func (quiet) Debug(string, ...interface{})        {}
func (quiet) DebugEnabled() bool                  { return false }
func (quiet) Info(string, ...interface{})         {}
func (quiet) InfoEnabled() bool                   { return false }
func (quiet) Warn(string, ...interface{})         {}
func (quiet) WarnEnabled() bool                   { return false }
func (quiet) Error(error, string, ...interface{}) {}
func (quiet) ErrorEnabled() bool                  { return false }
GO
HOME=$FOLDER "$FOLDER/program" >"$FOLDER/said"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
still "calls of 100 without an error that pass a breaker of error ratio 0" "$(said zero)" 5
still "calls of 100 failing ones that pass a breaker of error ratio 0.5" "$(said opened)" 5
still "calls of 4 that pass the open breaker after the same rule was loaded again" "$(said same)" 0
still "calls of 4, one after the other, that pass it after the rule was loaded with another retry time" "$(said retry)" 1
still "calls of 4 that pass it after the rule was loaded with another window" "$(said window)" 4
