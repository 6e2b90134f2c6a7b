package sale

import (
	"context"
	"slices"
)

// Role is what a token of the operators' API may do.
type Role string

// The roles. RoleEngine is that of changes which the engine makes by itself; no token has it.
const (
	RoleViewer   Role = "viewer"   // reads everything but secrets
	RoleOperator Role = "operator" // reads, and moves sales, rules and stock
	RoleAdmin    Role = "admin"    // may do everything
	RoleShop     Role = "shop"     // orders and payments
	RoleEngine   Role = "engine"
)

// Roles returns the roles that a token may have.
func Roles() []Role { return []Role{RoleViewer, RoleOperator, RoleAdmin, RoleShop} }

// Known reports whether a token may have the role.
func (r Role) Known() bool { return slices.Contains(Roles(), r) }

// Actor is who makes a change.
type Actor struct {
	Who       string // name of the token; engine for the engine's own changes
	Role      Role
	RequestID string // of the request that asked for the change, empty without one
}

type actorKey struct{}

// WithActor returns a context whose changes are written into the trail as those of the actor.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf returns the actor of a context. Changes of a context without an actor are the engine's own.
func ActorOf(ctx context.Context) Actor {
	if actor, ok := ctx.Value(actorKey{}).(Actor); ok {
		return actor
	}
	return Actor{Who: string(RoleEngine), Role: RoleEngine}
}
