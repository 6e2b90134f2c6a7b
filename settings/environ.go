package settings

// Environ returns every setting as an environment variable, for a process that a command starts: "NAME=value". It contains
// the secrets, so it belongs into an environment and never into a log.
func (s *Settings) Environ() []string {
	all := All()
	environ := make([]string, len(all))
	for i, setting := range all {
		target := setting.bind(s)
		text := format(target)
		if secret, is := target.(*Secret); is {
			text = secret.Reveal()
		}
		environ[i] = setting.Env() + "=" + text
	}
	return environ
}
