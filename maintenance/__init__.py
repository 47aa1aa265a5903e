"""What whoever keeps this repository runs: the site of the docs, pictures, SBOM, licences, audit."""
