// Package settings holds every setting of every process in one list and reads them: flag over environment over YAML
// file over default.
//
// A setting has one name and three spellings. The name is the section and the member, joined by a dot:
// kafka.sasl_username. The environment variable is FLASHSALE_KAFKA_SASL_USERNAME and the flag is --kafka-sasl-username.
// The YAML file has the member inside its section, or at the top level with the dot in its name. The section ends at the
// first underscore of the variable; only namespace has no section.
// Each secret has a companion NAME_file in the same three spellings. It names a file that contains the value; one newline
// at the end of that file is not part of the value. One source may give the secret or its companion, not both; between
// sources the stronger one wins.
//
// Every command accepts the flags of settings anywhere on its command line. FromCommandLine takes them out of the
// arguments first and returns the rest to the parser of the commands. It leaves every other flag there, so that parser
// refuses the unknown ones and no command repeats the list.
//
// Load does not stop at the first fault: it returns all of them in one Faults. An unknown key in the file is a fault. An
// unknown FLASHSALE_ variable is only a warning, because container platforms inject such variables for every service.
// No fault, warning or listing contains the value of a secret: Secret prints as a placeholder.
package settings
