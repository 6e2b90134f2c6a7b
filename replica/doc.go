// Package replica lets gateways read buyers' orders from a replica of the database while it is not behind by more than a bound.
//
// How far the replica is behind is measured by a row, not told by the server: a server that has lost its primary says that it
// lags by nothing, or does not say. One settling process, the Beater, raises a number in the row ten times a second. A gateway
// reads the number on the replica, then on the primary, and notes when it asked. The replica has everything that was committed
// before its number was written, and that was after every moment at which the primary still had a lower one. So the time since
// the latest such moment bounds what the replica lacks. Only the gateway's own monotonic clock takes part: the clocks of the
// servers do not matter. Delays of any step make the bound larger, never smaller. A primary that is read-only proves nothing:
// another server may have become the primary.
//
// Reads asks the replica only while the bound is below the setting, and asks the primary for what the replica does not find or
// cannot answer, for what it was asked lately at the primary, and while the bound is above the setting or unknown. Settlement,
// the audit, moves and the look-ups that prevent a second order never use it.
package replica
