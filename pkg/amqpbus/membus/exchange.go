package membus

import (
	"slices"
	"strings"
)

// exchange routes by its kind. Guarded by Core.mu.
type exchange struct {
	kind     string // "direct", "topic" or "fanout"
	bindings []binding
}

type binding struct {
	queue *queue
	key   string
	words []string // key, split at the dots
}

func (e *exchange) bind(q *queue, key string) {
	for _, b := range e.bindings {
		if b.queue == q && b.key == key {
			return
		}
	}
	e.bindings = append(e.bindings, binding{q, key, split(key)})
}

func (e *exchange) unbind(q *queue) {
	e.bindings = slices.DeleteFunc(e.bindings, func(b binding) bool { return b.queue == q })
}

// route returns the queues for a key, each once, in order of binding.
func (e *exchange) route(key string) []*queue {
	var words []string
	if e.kind == "topic" {
		words = split(key)
	}
	var out []*queue
	for _, b := range e.bindings {
		if e.matches(b, key, words) && !slices.Contains(out, b.queue) {
			out = append(out, b.queue)
		}
	}
	return out
}

func (e *exchange) matches(b binding, key string, words []string) bool {
	switch e.kind {
	case "fanout":
		return true
	case "topic":
		return matchWords(b.words, words)
	default:
		return b.key == key
	}
}

// split gives a key's words; the empty key has none.
func split(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// matchWords is the topic rule: "*" stands for one word, "#" for any number.
func matchWords(pattern, words []string) bool {
	for i, p := range pattern {
		if p == "#" {
			for skip := range len(words) + 1 {
				if matchWords(pattern[i+1:], words[skip:]) {
					return true
				}
			}
			return false
		}
		if len(words) == 0 || p != "*" && p != words[0] {
			return false
		}
		words = words[1:]
	}
	return len(words) == 0
}
