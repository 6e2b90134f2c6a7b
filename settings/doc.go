// Package settings holds every setting of every process in one list and reads them: flag over environment over YAML
// file over default.
//
// A setting has one name and three spellings. The name is section and member, joined by a dot: kafka.sasl_username. The
// environment variable is FLASHSALE_KAFKA_SASL_USERNAME, the flag --kafka-sasl-username, and in the YAML file the member
// stands inside its section, or at the top with the dot in its name. The section ends at the first underscore of the
// variable; namespace alone has no section.
// Each secret has a companion NAME_file in the same three spellings, which names a file that holds the value; one
// newline at the end of that file is not part of the value. Within one source the secret and its companion exclude each
// other; between sources the stronger one wins.
//
// Flags of settings are accepted anywhere on the command line, by every command. FromCommandLine takes them out of the
// arguments first and hands back the rest, which belongs to the parser of the commands; a flag that is no setting stays
// there, so that parser is the one that refuses it. This way no command has to repeat the list.
//
// Load never stops at the first fault: it returns all of them in one Faults. An unknown member of the file is a fault; an
// unknown FLASHSALE_ variable is a warning only, because container platforms inject such variables for every service.
// The value of a secret appears in no fault, no warning and no listing: Secret prints as a placeholder.
package settings
