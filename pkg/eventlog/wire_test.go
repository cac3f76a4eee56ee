package eventlog

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

var messages = []any{
	Claim{}, Batch{}, Reset{}, Need{}, Filled{}, Stale{}, Hello{}, Snapshot{}, Change{}, Life{}, Who{}, Bye{}, Fill{},
}

// fill sets every field of a message, also those that are added one day, to something
// that is not zero and within its bounds.
func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), r)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.String:
		v.SetString(string(rune('a' + r.IntN(26))))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + r.Int64N(200))
	case reflect.Uint8:
		v.SetUint(1 + r.Uint64N(250))
	case reflect.Uint64:
		v.SetUint(1 + r.Uint64())
	default:
		panic("a field of a kind that the test does not know: " + v.Type().String())
	}
}

// TestWireKeepsEveryField finds a field that the coder forgot, and an order of reading
// that is not the order of writing.
func TestWireKeepsEveryField(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, zero := range messages {
		for _, empty := range []bool{true, false} {
			m := reflect.New(reflect.TypeOf(zero)).Elem()
			if !empty {
				fill(m, r)
			}
			kind, body := Encode(3, m.Interface())
			got, ours, err := Decode(3, kind, body)
			if err != nil || !ours || !reflect.DeepEqual(got, m.Interface()) {
				t.Errorf("%s: %+v came back as %+v (ours %v): %v", kind, m.Interface(), got, ours, err)
			}
			for cut := range body {
				if m, _, err := Decode(3, kind, body[:cut]); !errors.Is(err, ErrWire) {
					t.Errorf("%s cut to %d of %d bytes: %+v, %v", kind, cut, len(body), m, err)
				}
			}
			if _, _, err := Decode(3, kind, append(body, 0)); !errors.Is(err, ErrWire) {
				t.Errorf("%s with a byte too many: %v", kind, err)
			}
			if _, _, err := Decode(2, kind, body); !errors.Is(err, ErrWire) {
				t.Errorf("%s of another number of shards: %v", kind, err)
			}
		}
	}
	if _, ours, err := Decode(1, "decision", nil); ours || err != nil {
		t.Errorf("a type that is none of the log's: ours %v, %v", ours, err)
	}
}

// TestWireKeepsNegative: no cursor has the offset -1.
func TestWireKeepsNegative(t *testing.T) {
	kind, body := Encode(1, Hello{Gateway: "g", Covered: NoCursor})
	got, _, err := Decode(1, kind, body)
	if err != nil || !got.(Hello).Covered.IsNone() {
		t.Fatalf("%+v: %v", got, err)
	}
}

func FuzzWire(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, zero := range messages {
		m := reflect.New(reflect.TypeOf(zero)).Elem()
		fill(m, r)
		kind, body := Encode(1, m.Interface())
		f.Add(kind, body)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m, ours, err := Decode(1, kind, body)
		if err != nil || !ours {
			return
		}
		again, encoded := Encode(1, m)
		if m2, _, err := Decode(1, again, encoded); err != nil || !reflect.DeepEqual(m, m2) {
			t.Fatalf("%+v is not what it was when it is encoded again: %+v, %v", m, m2, err)
		}
	})
}
