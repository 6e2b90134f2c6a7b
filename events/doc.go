// Package events publishes the changes of orders for the shop in the events topic.
//
// The database commits an event in the transaction that changes the order. The Publisher reads the events page by page
// in the order of their commits, writes each as a CloudEvent, sends the page, and deletes its rows when every replica
// has all of it. An event is therefore delivered at least once, after the events of the same order that were committed
// before it.
//
// Events give way to settlement: while order rows wait, the Publisher sends a page only every publishPressed.
package events
