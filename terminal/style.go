package terminal

// style writes the emphasis of a frame; the zero style writes plain text. Colour is off where NO_COLOR is set: bold and reverse
// stay, because a chosen row must be seen.
type style struct {
	on     bool // a terminal
	colour bool
}

func (s style) paint(code, text string) string {
	if text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string {
	if !s.on {
		return text
	}
	return s.paint("1", text)
}

func (s style) chosen(text string) string {
	if !s.on {
		return text
	}
	return s.paint("7", text)
}

func (s style) fault(text string) string {
	if !s.colour {
		return s.bold(text)
	}
	return s.paint("1;31", text)
}

func (s style) good(text string) string {
	if !s.colour {
		return text
	}
	return s.paint("32", text)
}

func (s style) dim(text string) string {
	if !s.on {
		return text
	}
	return s.paint("2", text)
}
