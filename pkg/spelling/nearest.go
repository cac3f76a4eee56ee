// Package spelling suggests the known word that is most similar to a misspelt one.
package spelling

// Nearest returns the known word with the smallest edit distance to word, the first of several;
// "" if known is empty.
func Nearest(word string, known []string) string {
	best, least := "", -1
	for _, candidate := range known {
		if d := distance(word, candidate); least < 0 || d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance returns the Levenshtein distance: the smallest number of bytes to insert, delete or
// change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
