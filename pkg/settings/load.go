package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// Prefix begins the name of every variable, before an underscore.
const Prefix = "BELFRY"

// validator is a spec that can check itself. A spec that embeds Broker and has
// a Validate of its own calls Broker.Validate in it.
type validator interface{ Validate() error }

// completer fills what has a default that is no constant. Broker has it, and
// whoever embeds Broker.
type completer interface{ complete() }

// Load fills spec, a pointer to a struct, from the environment and validates
// it. The error joins all that is wrong, each part naming a variable.
func Load(spec any) error {
	if err := errors.Join(checkNames(os.Environ()), checkText(os.Environ())); err != nil {
		return err
	}
	if err := envconfig.Process(Prefix, spec); err != nil {
		return inWords(err)
	}
	trimLists(reflect.ValueOf(spec).Elem())
	if c, ok := spec.(completer); ok {
		c.complete()
	}
	if v, ok := spec.(validator); ok {
		return v.Validate()
	}
	return nil
}

// Wrong says that a variable's value cannot be used, and what to do about it.
// The value itself is quoted by the caller, if it is no secret.
func Wrong(variable, what, fix string) error {
	return fmt.Errorf("%s %s: %s", variable, what, fix)
}

// inWords says in our words which variable could not be parsed.
func inWords(err error) error {
	parse, ok := errors.AsType[*envconfig.ParseError](err)
	if !ok {
		return fmt.Errorf("read the environment: %w", err)
	}
	want := map[string]string{
		"int":           "set a whole number",
		"int64":         "set a whole number",
		"uint":          "set a whole number that is not negative",
		"float64":       "set a number",
		"bool":          "set true or false",
		"time.Duration": "set a duration with its unit, such as 500ms, 10s or 2m",
	}[parse.TypeName]
	if want == "" {
		want = "set a " + parse.TypeName
	}
	return Wrong(parse.KeyName, fmt.Sprintf("is %q", parse.Value), want)
}

// trimLists takes the blanks from around the items of every list of strings,
// and empty items out: `a, b` and `a,b,` are two items.
func trimLists(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case !f.CanSet():
		case f.Kind() == reflect.Struct:
			trimLists(f)
		case f.Type() == reflect.TypeFor[[]string]():
			var kept []string
			for _, item := range f.Interface().([]string) {
				if item = strings.TrimSpace(item); item != "" {
					kept = append(kept, item)
				}
			}
			f.Set(reflect.ValueOf(kept))
		}
	}
}
