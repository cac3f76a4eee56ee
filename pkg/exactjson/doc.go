// Package exactjson parses JSON whose meaning must not depend on the parser.
//
// encoding/json takes the last of two members with the same name, repairs invalid UTF-8, and
// matches "Groups" with "groups" in a struct. In the claims of a token or in a policy, two
// programs could then understand different things. Check refuses such JSON.
//
// Errors have a line and a column and name the key. They do not contain values. All
// functions may be called concurrently.
package exactjson
