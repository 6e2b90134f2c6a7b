package store

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestRulesStartWithTheDefaults(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rules, err := s.Rules(t.Context())
		require.NoError(t, err)
		require.Equal(t, sale.DefaultRules(), rules)
	})
}

func TestPutRules(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		wanted := sale.Rules{
			Version: 77, // not the caller's to choose
			Flow:    []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 5}},
			CircuitBreaker: []sale.BreakerRule{{Resource: "redis", Strategy: "slow_ratio", Threshold: 0.5, MaxRTMillis: 50,
				WindowMS: 1000, MinRequests: 20, RetryMS: 2000}},
			Buyer: &sale.Limit{PerSecond: 5, Burst: 10},
			Grief: sale.Grief{Unpaid: 0, WindowS: 60}, // off stays off
		}
		put, err := s.PutRules(ctx, wanted, nil)
		require.NoError(t, err)
		wanted.Version = 1
		wanted.Normalize()
		require.Equal(t, wanted, put)
		found, err := s.Rules(ctx)
		require.NoError(t, err)
		require.Equal(t, wanted, found)
		require.Equal(t, &wanted, changesSince(t, s, 0).Rules)

		stale := int64(0)
		_, err = s.PutRules(ctx, sale.Rules{}, &stale)
		require.ErrorIs(t, err, sale.ErrVersionConflict)
		var conflict *sale.VersionError
		require.ErrorAs(t, err, &conflict)
		require.EqualValues(t, 1, conflict.Present)
		_, err = s.PutRules(ctx, sale.Rules{Flow: []sale.FlowRule{{Resource: "coffee", QPS: 1}}}, nil)
		var fault *sale.FieldError
		require.ErrorAs(t, err, &fault)
		found, err = s.Rules(ctx)
		require.NoError(t, err)
		require.Equal(t, wanted, found, "a refused set changes nothing")

		present := int64(1)
		put, err = s.PutRules(ctx, sale.Rules{}, &present)
		require.NoError(t, err)
		require.EqualValues(t, 2, put.Version)
		require.Nil(t, put.Buyer)
		found, err = s.Rules(ctx)
		require.NoError(t, err)
		require.Nil(t, found.Buyer, "a limit that was taken off stays off")
	})
}

func TestRulesPutByManyAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		zero := int64(0)
		var won atomic.Int64
		err := together(8, func(int) error {
			_, err := s.PutRules(t.Context(), sale.Rules{}, &zero)
			if err == nil {
				won.Add(1)
				return nil
			}
			if !errors.Is(err, sale.ErrVersionConflict) {
				return err
			}
			return nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 1, won.Load())
	})
}
