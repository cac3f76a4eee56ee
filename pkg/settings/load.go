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

// validator is a spec that can check itself. If a spec embeds Broker and has its own Validate, that
// must call Broker.Validate.
type validator interface{ Validate() error }

// completer fills in defaults that are not constants. Broker implements it, and so do all specs
// that embed Broker.
type completer interface{ complete() }

// Load fills spec, a pointer to a struct, from the environment and validates it. The error joins
// all problems; each names its variable.
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

// Wrong returns an error that says what is wrong with a variable's value, and what to do. The
// caller may quote the value in what, unless it is a secret.
func Wrong(variable, what, fix string) error {
	return fmt.Errorf("%s %s: %s", variable, what, fix)
}

// inWords rewrites envconfig's error about a variable that could not be parsed.
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

// trimLists removes white space around the items of lists of strings, and empty items: `a, b` and
// `a,b,` both have two items.
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
