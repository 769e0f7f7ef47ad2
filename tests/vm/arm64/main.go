// Prints the architecture that it was built for, into the file that an argument names if there is one.
package main

import (
	"io"
	"os"
	"runtime"
)

func main() {
	output := os.Stdout
	if len(os.Args) > 1 {
		file, err := os.Create(os.Args[1])
		if err != nil {
			panic(err)
		}
		output = file
	}
	if _, err := io.WriteString(output, runtime.GOARCH+"\n"); err != nil {
		panic(err)
	}
}
