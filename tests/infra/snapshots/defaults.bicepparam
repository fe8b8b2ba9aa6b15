// What `azd up` makes when nothing is set.
using '../../../infra/main.bicep'

param environmentName = 'segments-prod'
param location = 'westeurope'
param alertEmail = 'operators@example.com'
