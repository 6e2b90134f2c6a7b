// Package dsn reads data source names of the Go MySQL driver. In place of one server a name may list several, as in
// user:password@tcp(a:3306,b:3306)/database: a new connection then goes to the first of them that answers and takes writes,
// and the pool replaces one whose server has stopped taking writes.
package dsn
