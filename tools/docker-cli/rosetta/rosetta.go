// Package rosetta stands in for a module that Go's proxy does not serve. `docker version` asks it
// whether the program runs translated on a Mac; here it never does.
package rosetta

// Enabled says whether the program runs under Rosetta.
func Enabled() bool { return false }
