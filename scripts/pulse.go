package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// PulseKey is the hash with the pulse of every process, by its name. The key has one field for each living process, and does
// not expire: readers delete the fields of processes that have died.
func (r *Redis) PulseKey() string { return r.options.Namespace + ":pulse" }

// SetPulse writes the pulse of a process. It fails while this Redis is not known to be this engine's.
func (r *Redis) SetPulse(ctx context.Context, name string, pulse []byte) error {
	if err := r.Doubt(); err != nil {
		return fmt.Errorf("write a pulse: %w", err)
	}
	err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Hset().Key(r.PulseKey()).FieldValue().FieldValue(name, rueidis.BinaryString(pulse)).Build()
	}).Error()
	return r.pulseError("write a pulse", err)
}

// Pulses returns the pulses of all processes by name, as they were written.
func (r *Redis) Pulses(ctx context.Context) (map[string]string, error) {
	pulses, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Hgetall().Key(r.PulseKey()).Build()
	}).AsStrMap()
	return pulses, r.pulseError("read the pulses", err)
}

// DropPulses deletes the pulses of processes that have ended.
func (r *Redis) DropPulses(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Hdel().Key(r.PulseKey()).Field(names...).Build()
	}).Error()
	return r.pulseError("delete pulses", err)
}

// pulseError says what failed, and that a key of another type is another program's.
func (r *Redis) pulseError(what string, err error) error {
	if err == nil {
		return nil
	}
	return sale.Away(sale.StoreRedis, fmt.Errorf("%s: %w", what, foreignKind("key "+r.PulseKey(), err)))
}
