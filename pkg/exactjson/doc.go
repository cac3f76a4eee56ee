// Package exactjson reads JSON whose meaning must not depend on the reader.
//
// encoding/json takes the last of two members of the same name, repairs broken
// UTF-8 and lets "Groups" be "groups" in a struct. In a token's claims or a
// policy that lets two programs understand two things. Check refuses it.
//
// Errors give a line and a column and name the key; they hold no values.
package exactjson
