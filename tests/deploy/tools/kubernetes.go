package main

import (
	"fmt"
	"os"

	"github.com/yannh/kubeconform/pkg/validator"
)

// kubeconform FOLDER VERSION validates the resources on standard input by the schemas of a folder.
func kubeconform(arguments []string) error {
	location := arguments[0] + "/{{.ResourceKind}}{{.KindSuffix}}.json"
	checker, err := validator.New([]string{location}, validator.Opts{Strict: true, KubernetesVersion: arguments[1]})
	if err != nil {
		return err
	}
	failed := 0
	for _, result := range checker.Validate("stdin", os.Stdin) {
		signature, _ := result.Resource.Signature()
		switch result.Status {
		case validator.Empty:
		case validator.Valid:
			fmt.Println(signature.Kind, signature.Name)
		default:
			failed++
			name := "?"
			if signature != nil {
				name = signature.Kind + " " + signature.Name
			}
			fmt.Fprintln(os.Stderr, name, result.Err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d resources are not valid", failed)
	}
	return nil
}
