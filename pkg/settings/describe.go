package settings

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// row is one variable as the documentation shows it.
type row struct{ name, kind, byDefault, text string }

// rowFormat makes envconfig list a spec's variables with the names that it derives. The unit
// separator, between the cells, occurs in no tag.
const rowFormat = "{{range .}}{{usage_key .}}\x1f{{usage_type .}}\x1f{{usage_default .}}\x1f{{usage_description .}}\n{{end}}"

func rows(spec any) ([]row, error) {
	var out bytes.Buffer
	if err := envconfig.Usagef(Prefix, spec, &out, rowFormat); err != nil {
		return nil, fmt.Errorf("list the variables: %w", err)
	}
	var all []row
	for line := range strings.Lines(out.String()) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\x1f")
		if len(cells) != 4 {
			return nil, fmt.Errorf("list the variables: a tag holds a line break near %q", cells[0])
		}
		all = append(all, row{cells[0], cells[1], cells[2], cells[3]})
	}
	return all, nil
}

// Names lists the variables of a spec, in the order of its fields.
func Names(spec any) ([]string, error) {
	all, err := rows(spec)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range all {
		names = append(names, r.name)
	}
	return names, nil
}

// Describe returns a section of Markdown: the title and a table of the spec's
// variables. A field without a `desc` tag is an error.
func Describe(title string, spec any) (string, error) {
	all, err := rows(spec)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## %s\n\n| variable | kind | default | meaning |\n|---|---|---|---|\n", title)
	for _, r := range all {
		if r.text == "" {
			return "", fmt.Errorf("describe %s: its field has no desc tag", r.name)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", r.name, kindInWords(r.kind), code(r.byDefault), cell(r.text))
	}
	return out.String(), nil
}

// kindInWords shortens envconfig's names of kinds.
func kindInWords(kind string) string {
	if strings.HasPrefix(kind, "Comma-separated list") {
		return "list"
	}
	if words, ok := map[string]string{
		"Integer": "number", "Unsigned Integer": "number", "Float": "number",
		"True or False": "true or false", "String": "text", "Secret": "text, secret",
	}[kind]; ok {
		return words
	}
	return strings.ToLower(kind)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// cell escapes a text for a cell of a Markdown table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
