package terminal

import (
	"slices"
	"unicode/utf8"
)

// effect is what a key asks of the program.
type effect int

const (
	nothing effect = iota
	quits
	rewatches // the numbers of another sale, or other rows, are needed
)

// maxSearch bounds the search; the API refuses a longer one.
const maxSearch = 100

// key takes a key by its name, such as enter or j; text is what it types.
func (s *screen) key(name, text string) effect {
	if name == "ctrl+c" {
		return quits
	}
	if s.typing {
		return s.typeKey(name, text)
	}
	switch name {
	case "q":
		return quits
	case "up", "k":
		return s.move(-1)
	case "down", "j":
		return s.move(1)
	case "pgup":
		return s.move(-s.page())
	case "pgdown":
		return s.move(s.page())
	case "home", "g":
		return s.move(-s.rows())
	case "end", "G":
		return s.move(s.rows())
	case "/":
		s.typing, s.typed = true, s.searched()
	case "s":
		return s.sortNext()
	case "enter":
		return s.open()
	case "esc":
		return s.back()
	}
	return nothing
}

func (s *screen) searched() string {
	if s.id == "" {
		return s.search
	}
	return s.query.Search
}

// typeKey takes a key while the search is being typed.
func (s *screen) typeKey(name, text string) effect {
	switch name {
	case "enter":
		s.typing = false
		return s.find(s.typed)
	case "esc":
		s.typing = false
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(s.typed)
		s.typed = s.typed[:len(s.typed)-size]
	default:
		if len(s.typed)+len(text) <= maxSearch {
			s.typed += Plain(text)
		}
	}
	return nothing
}

// find shows what has the text in its id or name.
func (s *screen) find(text string) effect {
	if s.id == "" {
		s.search = text
		return nothing
	}
	if text == s.query.Search {
		return nothing
	}
	s.query.Search, s.query.From, s.chosen = text, 0, 0
	return rewatches
}

func (s *screen) sortNext() effect {
	if s.id == "" {
		s.by = (s.by + 1) % len(orders)
		return nothing
	}
	all := Sorts()
	s.query.Sort = all[(slices.Index(all, s.query.Sort)+1)%len(all)]
	s.query.From, s.chosen = 0, 0
	return rewatches
}

// open shows the chosen sale.
func (s *screen) open() effect {
	found := s.listed()
	if s.id != "" || len(found) == 0 {
		return nothing
	}
	s.show(found[listPlace(found, s.chosenID)].ID)
	return rewatches
}

// back leaves a search, or the sale for the list.
func (s *screen) back() effect {
	if s.searched() != "" {
		return s.find("")
	}
	if s.id == "" {
		return nothing
	}
	s.show("")
	return rewatches
}

// rows counts the rows of the table, those included that are not on the screen.
func (s *screen) rows() int {
	if s.id == "" {
		return len(s.listed())
	}
	if s.live == nil {
		return 0
	}
	return s.live.Items.Matched
}

// move moves the choice by some rows. Other SKUs are asked for when the stream does not bring the chosen one.
func (s *screen) move(by int) effect {
	if s.id == "" {
		if found := s.listed(); len(found) > 0 {
			s.chosenID = found[max(0, min(listPlace(found, s.chosenID)+by, len(found)-1))].ID
		}
		return nothing
	}
	s.chosen = max(0, min(s.chosen+by, s.rows()-1))
	if s.chosen >= s.query.From && s.chosen < s.query.From+s.query.Limit {
		return nothing
	}
	s.query.From = max(0, s.chosen-s.query.Limit/2)
	return rewatches
}
