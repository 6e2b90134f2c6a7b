package terminal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// frame returns the lines of the screen at a time of this machine's clock.
func (s *screen) frame(now time.Time) []string {
	head, table := s.listHead(now), s.listTable(now)
	if s.id != "" {
		head, table = s.saleHead(now), s.saleTable()
	}
	titles, rows := table.grid.lines()
	foot := s.foot(now)
	lines := append(head, "")
	if len(rows) > 0 {
		lines = append(lines, s.style.bold(titles))
		for i := range rows {
			if i == table.chosen {
				rows[i] = s.style.chosen(rows[i])
			}
		}
		lines = append(lines, s.visible(rows, table.chosen, len(lines)+len(foot))...)
	}
	lines = s.fill(lines, foot)
	if s.width > 0 {
		for i := range lines {
			lines[i] = ansi.Truncate(lines[i], s.width, "…")
		}
	}
	return lines
}

// visible returns the rows that fit beside so many other lines, the chosen one among them.
func (s *screen) visible(rows []string, chosen, others int) []string {
	if s.height == 0 {
		return rows
	}
	space := max(1, s.height-others)
	if len(rows) <= space {
		return rows
	}
	first := max(0, min(chosen-space/2, len(rows)-space))
	return rows[first : first+space]
}

// page is how far a key moves by a page.
func (s *screen) page() int { return max(1, s.height-12) }

// fill puts the last lines at the bottom of the screen.
func (s *screen) fill(lines, foot []string) []string {
	if s.height > 0 {
		lines = lines[:min(len(lines), max(1, s.height-len(foot)))]
		for len(lines)+len(foot) < s.height {
			lines = append(lines, "")
		}
	}
	return append(lines, foot...)
}

// foot is the search or the keys, on a terminal only.
func (s *screen) foot(now time.Time) (lines []string) {
	if fault := s.failing(now); fault != "" {
		lines = append(lines, s.style.fault(Plain(s.age(now)+fault+"; trying again")))
	}
	if !s.style.on {
		return lines
	}
	switch {
	case s.typing:
		return append(lines, "search: "+s.typed+"█")
	case s.id == "":
		return append(lines, s.style.dim(fmt.Sprintf("q quit  ↑↓ jk choose  enter open  / search%s  s sort: %s",
			inForce(s.search), orders[s.by].name)))
	}
	return append(lines, s.style.dim(fmt.Sprintf("q quit  ↑↓ jk choose  esc back  / search%s  s sort: %s",
		inForce(s.query.Search), s.query.Sort)))
}

func inForce(search string) string {
	if search == "" {
		return ""
	}
	return ": " + search + " (esc ends it)"
}

// staleAfter is the age from which the screen says how old its numbers are; one reading a second is usual, and a sale with many
// SKUs is read less often.
const staleAfter = 3 * time.Second

// age says how old the numbers are where they are old.
func (s *screen) age(now time.Time) string {
	if old := now.Sub(s.read); !s.read.IsZero() && old >= staleAfter {
		return "numbers are " + Span(old) + " old: "
	}
	return ""
}

// clock is the time of the deployment, which goes on between two readings, and the age of old numbers.
func (s *screen) clock(at, now time.Time) string {
	text := at.Add(now.Sub(s.read)).UTC().Format("15:04:05Z")
	if old := now.Sub(s.read); old >= staleAfter {
		text += s.style.fault("  " + Span(old) + " old")
	}
	return text
}

// deployment says which processes and stores work.
func (s *screen) deployment(processes []Process, stores []Store) []string {
	ready, all, said := map[string]int{}, map[string]int{}, []string{}
	for i := range processes {
		p := &processes[i]
		all[p.Role]++
		switch {
		case p.SeenMSAgo > 3*1000:
			silent := time.Duration(p.SeenMSAgo) * time.Millisecond
			said = append(said, fmt.Sprintf("%s %s silent for %s", p.Role, p.Name, Span(silent)))
		case !p.Ready:
			checks := strings.Join(slices.Sorted(maps.Keys(p.Waiting)), ", ")
			said = append(said, fmt.Sprintf("%s %s waits for %s", p.Role, p.Name, checks))
		default:
			ready[p.Role]++
		}
	}
	line := []string{}
	for _, role := range slices.Sorted(maps.Keys(all)) {
		line = append(line, fmt.Sprintf("%s %d of %d ready", role, ready[role], all[role]))
	}
	for i := range stores {
		if store := &stores[i]; store.Up {
			line = append(line, s.style.good(storeName(store.Store)+" up"))
		} else {
			line = append(line, s.style.fault(storeName(store.Store)+" AWAY"))
			said = append(said, storeName(store.Store)+": "+store.Detail)
		}
	}
	lines := []string{}
	if len(line) > 0 {
		lines = append(lines, strings.Join(line, "   "))
	}
	for _, text := range said[:min(len(said), maxSaid)] {
		lines = append(lines, s.style.fault(Plain(text)))
	}
	return lines
}

// maxSaid bounds the lines about processes and stores that do not work.
const maxSaid = 4

func storeName(store string) string {
	if store == "mysql" {
		return "database"
	}
	return store
}
