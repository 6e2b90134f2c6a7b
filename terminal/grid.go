package terminal

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// grid is a table whose columns are as wide as their widest cell on the screen. Cells have no styles.
type grid struct {
	titles []string // one that ends with > is of numbers, which are aligned to the right
	rows   [][]string
}

// gap is between two columns.
const gap = "  "

// lines returns the titles and the rows, without spaces at their ends.
func (g *grid) lines() (titles string, rows []string) {
	names, right := make([]string, len(g.titles)), make([]bool, len(g.titles))
	widths := make([]int, len(g.titles))
	for i, title := range g.titles {
		names[i], right[i] = strings.CutSuffix(title, ">")
		widths[i] = width(names[i])
	}
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	line := func(cells []string) string {
		padded := make([]string, len(cells))
		for i, cell := range cells {
			space := strings.Repeat(" ", widths[i]-width(cell))
			if padded[i] = cell + space; right[i] {
				padded[i] = space + cell
			}
		}
		return strings.TrimRight(strings.Join(padded, gap), " ")
	}
	rows = make([]string, len(g.rows))
	for i, row := range g.rows {
		rows[i] = line(row)
	}
	return line(names), rows
}

// width is the columns that a text takes; most cells are ASCII, which needs no library.
func width(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return ansi.StringWidth(text)
		}
	}
	return len(text)
}
